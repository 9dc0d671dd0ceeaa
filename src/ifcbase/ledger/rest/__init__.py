"""The ledger over Supabase's REST door: the same write API, called as functions."""
