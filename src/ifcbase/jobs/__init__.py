"""Jobs and attempts: registry of checks, queue engines, worker, sandbox, reaper."""
