"""Show, search and tell: answer, or name what is missing, find it, and answer again."""

from seal.pipeline.answer import Answer
from seal.pipeline.protocol import ProtocolConfig
from seal.pipeline.question import Question
from seal.pipeline.seal import Seal

__all__ = ["Answer", "ProtocolConfig", "Question", "Seal"]
