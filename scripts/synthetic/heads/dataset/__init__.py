"""The set of rendered heads: plan, pictures, tables, data card, and a look-alike of FERG-DB."""
