"""How well a model predicts: accuracy, the confusion matrix and what follows from it.

confusion = px.metrics.ConfusionMatrix(10)
for x, y in batches:
    confusion.update(model(x), y)
confusion.accuracy(), confusion.recall()
"""

from ._phlox import _metrics

for _name, _member in vars(_metrics).items():
    if not _name.startswith("_"):
        globals()[_name] = _member
