defmodule SalesReport do
  @moduledoc """
  The data of the report `sales`: what is said of it as a whole, and its rows.

  They are read from `sales.assigns.json` and `sales.rows.ndjson`. These are looked for beside this file;
  a release has no source files, so tell it where they are:

      config :my_app, SalesReport, dir: "/srv/reports"

  A row is a map with the keys `"ordinal"` (from 0), `"band"` (`"header"`, `"detail"`, `"footer"` or
  `"total"`), `"level"` of its group, `"label"`, `"span"` (how many columns the label takes) and `"cells"`,
  the texts of the other columns.

  Without a LiveView, a page of all rows is:

      SalesReport.assigns()
      |> Map.merge(%{rows: SalesReport.rows(), update: nil, more: nil})
      |> SalesReport.Components.report()
  """

  @dir __DIR__

  @type row :: %{String.t() => String.t() | non_neg_integer() | [String.t()]}

  @doc "The title of the report."
  @spec title() :: String.t()
  def title do
    "Sales \u0026 \u007Breturns\u007D"
  end

  @doc "What the template needs besides the rows: the columns and the number of rows."
  @spec assigns() :: %{columns: [map()], row_count: non_neg_integer()}
  def assigns do
    data = "sales.assigns.json" |> path() |> File.read!() |> decode()
    %{columns: Map.fetch!(data, "columns"), row_count: Map.fetch!(data, "row_count")}
  end

  @doc "All rows with their DOM ids, read as they are asked for."
  @spec rows() :: Enumerable.t()
  def rows do
    rows_path() |> File.stream!() |> Stream.map(&decode/1) |> Stream.map(&{dom_id(&1), &1})
  end

  @doc """
  Reads at most `count` rows from a position in the file, 0 at first.

  Returns them with the position of the next row, or `nil` if there is none.
  """
  @spec page(non_neg_integer(), pos_integer()) :: {[row()], non_neg_integer() | nil}
  def page(position, count) do
    File.open!(rows_path(), [:read, :raw, :binary, :read_ahead], fn file ->
      {:ok, ^position} = :file.position(file, position)
      lines = read_lines(file, count)
      next = position + Enum.sum(Enum.map(lines, &byte_size/1))
      {Enum.map(lines, &decode/1), if(next < File.stat!(rows_path()).size, do: next)}
    end)
  end

  @doc "The id of a row in the page."
  @spec dom_id(row()) :: String.t()
  def dom_id(%{"ordinal" => ordinal}), do: "sales-row-#{ordinal}"

  defp read_lines(_file, 0), do: []

  defp read_lines(file, count) do
    case :file.read_line(file) do
      {:ok, line} -> [line | read_lines(file, count - 1)]
      :eof -> []
    end
  end

  defp rows_path, do: path("sales.rows.ndjson")

  defp path(name) do
    __MODULE__
    |> Application.get_application()
    |> Application.get_env(__MODULE__, [])
    |> Keyword.get(:dir, @dir)
    |> Path.join(name)
  end

  defp decode(json), do: Phoenix.json_library().decode!(json)
end
