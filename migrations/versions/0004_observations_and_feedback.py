"""With each request what was observed of its items, and what came back about them later."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COLUMNS = ("observed", "feedback")
_IS_OBSERVED = sa.text("observed IS NOT NULL")
_HAS_FEEDBACK = sa.text("feedback IS NOT NULL")


def upgrade() -> None:
    # Neither database rewrites the table for new columns that may be empty.
    for name in _COLUMNS:
        op.add_column("requests", sa.Column(name, sa.JSON()))
    op.create_index(
        "ix_requests_observed", "requests", ["task", "time"], sqlite_where=_IS_OBSERVED, postgresql_where=_IS_OBSERVED
    )
    op.create_index("ix_requests_feedback", "requests", ["time"], sqlite_where=_HAS_FEEDBACK, postgresql_where=_HAS_FEEDBACK)


def downgrade() -> None:
    op.drop_index("ix_requests_feedback", "requests")
    op.drop_index("ix_requests_observed", "requests")
    for name in reversed(_COLUMNS):
        op.drop_column("requests", name)
