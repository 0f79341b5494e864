def to_text(p): return p.digest
