"""Clips of any length: how right networks are about them, and what it costs to put them together.

`curves` reads how right networks are by length, resolution and number of tokens, `report` says it in sentences and `figures` draws it;
`packs` packs clips into rows, `token_use` counts what padding and cutting cost for the clips of data sets, `pictures` draws the rows.
"""
