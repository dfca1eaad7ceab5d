# Compiles the modules of a report in a folder and writes its page, whole and as a LiveView begins it.
[folder, name, module] = System.argv()

if Code.ensure_loaded?(Phoenix.LiveView) do
  for file <- ["#{name}.ex", "#{name}.components.ex", "#{name}.live.ex"] do
    folder |> Path.join(file) |> Code.compile_file()
  end

  [data, components, live] =
    for parts <- [[module], [module, "Components"], [module, "Live"]], do: Module.concat(parts)

  write = fn file, rendered ->
    folder |> Path.join(file) |> File.write!(Phoenix.HTML.Safe.to_iodata(rendered))
  end

  write.("whole.html", components.report(Map.merge(data.assigns(), %{rows: data.rows(), update: nil, more: nil})))

  private = %{lifecycle: struct!(Phoenix.LiveView.Lifecycle), live_temp: %{}}
  {:ok, socket} = live.mount(%{}, %{}, struct!(Phoenix.LiveView.Socket, private: private))
  write.("live.html", live.render(socket.assigns))

  # The reader scrolls to the end, and the browser asks once more than there is.
  more = fn socket -> live.handle_event("more", %{}, socket) |> elem(1) end
  ended = Stream.iterate(socket, more) |> Enum.find(&(&1.assigns.position == nil)) |> more.()
  write.("scrolled.html", live.render(ended.assigns))

  rows = Enum.map(data.rows(), &elem(&1, 1))

  for size <- [1, 7, 10_000] do
    pages = Stream.unfold(0, &(&1 && data.page(&1, size)))
    ^rows = Enum.concat(pages)
    true = Enum.all?(pages, &(length(&1) in 1..size or rows == []))
  end
else
  IO.write("no LiveView")
end
