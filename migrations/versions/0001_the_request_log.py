"""The request log: one row for every answered request."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "requests",
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("path", sa.String(512), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("task", sa.String(32)),
        sa.Column("model_version", sa.String(64)),
        sa.Column("items", sa.Integer()),
        sa.Column("encode_ms", sa.Double()),
        sa.Column("queue_ms", sa.Double()),
        sa.Column("run_ms", sa.Double()),
        sa.Column("total_ms", sa.Double(), nullable=False),
        sa.Column("request_bytes", sa.Integer(), nullable=False),
        sa.Column("response_bytes", sa.Integer(), nullable=False),
        sa.Column("stream", sa.String(16)),
        sa.Column("client", sa.String(64)),
        sa.Column("client_request_id", sa.String(128)),
        sa.Column("inputs", sa.JSON()),
        sa.Column("outputs", sa.JSON()),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_index("ix_requests_time", "requests", ["time"])


def downgrade() -> None:
    op.drop_index("ix_requests_time", "requests")
    op.drop_table("requests")
