"""The suite ``supervision``: accidents in many running pipelines, and what becomes of them."""
