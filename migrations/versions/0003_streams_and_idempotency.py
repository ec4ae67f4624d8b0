"""Streams have rows from their beginning; answers that are sent again, by idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = {"process_id": sa.BigInteger(), "replay_of": sa.String(36), "answer": sa.JSON()}
_IS_OPEN = sa.text("stream = 'started'")


def upgrade() -> None:
    # Neither database rewrites the table for new columns that may be empty.
    for name, kind in _COLUMNS.items():
        op.add_column("requests", sa.Column(name, kind))
    op.create_index("ix_requests_open", "requests", ["process_id"], sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN)
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.String(80), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("process_id", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key"),
    )
    op.create_index("ix_idempotency_keys_time", "idempotency_keys", ["time"])


def downgrade() -> None:
    op.drop_index("ix_idempotency_keys_time", "idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_requests_open", "requests")
    for name in reversed(_COLUMNS):
        op.drop_column("requests", name)
