"""What writes the sentences of records: templates, an OpenAI-compatible endpoint, a local model."""

from seal.building.language.config import LanguageConfig
from seal.building.language.templates import Template
from seal.building.language.usage import print_usage
from seal.building.language.written_set import build_written_set

__all__ = ["LanguageConfig", "Template", "build_written_set", "print_usage"]
