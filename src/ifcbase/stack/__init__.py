"""Running it: embedded Postgres, migrations runner."""
