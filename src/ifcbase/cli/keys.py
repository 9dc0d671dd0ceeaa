"""`ifcbase keys`: secrets and keys."""

from __future__ import annotations

import typer

from ifcbase.cli import keys_supabase

app = typer.Typer(help="Keys: generate, check, renew-worker, revoke-worker.", no_args_is_help=True)
keys_supabase.add_to(app)
