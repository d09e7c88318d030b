"""References that are right to far below one hundredth of an ulp.

`exact` is arithmetic with 200 bits; `extended` is fast enough for a million classes;
`gradients` holds the exact derivatives together with the size of the terms they are made of.
"""
