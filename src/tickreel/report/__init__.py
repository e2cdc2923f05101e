"""What a person sees of a run: one HTML file, tables in the terminal, a fragment for notebooks.

All take the same plain `RunView` (view.py), which says everything that may be shown:

    html.report_html(view) -> str        a self-contained page that loads nothing
    terminal.run_table(view) -> Group    rich tables
    notebook.summary_html(view) -> str   a small fragment for `_repr_html_`

Names, settings and tracebacks in a view are foreign text: escaped wherever they are shown.
Figures are never computed here, only chosen, rounded and worded.
"""
