def supports(x): return False
def forward(*a): raise RuntimeError
backward=forward
