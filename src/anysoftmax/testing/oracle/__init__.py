"""References that are right to far below one hundredth of an ulp.

`exact` is arithmetic with 200 bits; `extended` is fast enough for a million classes. `gradients`,
`cross_entropy`, `entropy` and `pullbacks` hold sums: exact, together with the size of the terms
that they are made of, which `terms` adds up.
"""
