"""The library: models, data sets, recipes, engines and the store of results. It needs no Ray."""
