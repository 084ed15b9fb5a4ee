"""What writes the sentences of records: templates, an OpenAI-compatible endpoint, a local model."""

from seal.building.language.config import LanguageConfig
from seal.building.language.templates import Template
from seal.building.language.usage import print_usage

__all__ = ["LanguageConfig", "Template", "print_usage"]
