defmodule $module.Components do
  @moduledoc """
  The report `$name` as a function component, compiled from `$name.heex`.

  Rows and cells have classes to style them by: `band` with `header`, `detail`, `footer` or `total`, and
  `start` or `end` for the side a cell is aligned to.
  """

  use Phoenix.Component

  require Phoenix.Template

  @doc "Renders the report."
  attr :columns, :list, required: true, doc: "maps with the key \"align\", in order"
  attr :rows, :any, required: true, doc: "pairs of DOM id and row, or a stream of a LiveView"
  attr :row_count, :integer, required: true, doc: "rows of the whole report"
  attr :update, :string, default: nil, doc: "\"stream\" if the rows are a stream of a LiveView"
  attr :more, :string, default: nil, doc: "event to send when the reader reaches the last row"
  def report(assigns)

  Phoenix.Template.compile_all(fn _path -> "report" end, __DIR__, "$name")
end
