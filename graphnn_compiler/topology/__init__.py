"""Model and graphs to edge arrays: tables, readers, connectivity rules, CSR, the plan."""
