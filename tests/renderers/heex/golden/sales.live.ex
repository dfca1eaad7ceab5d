defmodule SalesReport.Live do
  @moduledoc """
  The report `sales` as a LiveView that sends more rows when the reader reaches the last one.

  The rows are a stream: the server keeps none of them, only its position in the file.

      live "/reports/sales", SalesReport.Live
  """

  use Phoenix.LiveView

  @rows_at_a_time 200

  @impl true
  def mount(_params, _session, socket) do
    {:ok,
     socket
     |> assign(SalesReport.assigns())
     |> assign(page_title: SalesReport.title(), position: 0)
     |> stream_configure(:rows, dom_id: &SalesReport.dom_id/1)
     |> stream(:rows, [])
     |> read_more()}
  end

  @impl true
  def handle_event("more", _params, socket), do: {:noreply, read_more(socket)}

  @impl true
  def render(assigns) do
    ~H"""
    <SalesReport.Components.report
      columns={@columns}
      rows={@streams.rows}
      row_count={@row_count}
      update="stream"
      more={@position && "more"}
    />
    """
  end

  # The browser may ask once more before it has seen that there is no more.
  defp read_more(%{assigns: %{position: nil}} = socket), do: socket

  defp read_more(%{assigns: %{position: position}} = socket) do
    {rows, next} = SalesReport.page(position, @rows_at_a_time)
    socket |> stream(:rows, rows) |> assign(:position, next)
  end
end
