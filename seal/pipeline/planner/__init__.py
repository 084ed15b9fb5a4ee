"""What is missing? Before a search, somebody says what to look for."""

from seal.pipeline.planner.config import PLANNERS, PlannerConfig, default_planner
from seal.pipeline.planner.plan import Exchange, Plan, Planner

__all__ = ["PLANNERS", "Exchange", "Plan", "Planner", "PlannerConfig", "default_planner"]
