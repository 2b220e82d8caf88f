"""
A sheet and its bands
=====================
"""

import flatforce as ff

model = ff.load("mace:wse2-pbe")
sheet = ff.monolayer("WSe2")
print(model)
