# Reads the sources of a report in a folder as Elixir does, and writes down what the data module says.
[folder, name, module] = System.argv()

for file <- ["#{name}.ex", "#{name}.components.ex", "#{name}.live.ex"] do
  source = folder |> Path.join(file) |> File.read!()
  Code.string_to_quoted!(source, file: file)
  # Phoenix tells the formatter to leave these as they are.
  formatted = [Code.format_string!(source, locals_without_parens: [attr: 3]), "\n"]
  if IO.iodata_to_binary(formatted) != source, do: raise("#{file} is not as mix format would write it")
end

folder |> Path.join("#{name}.heex") |> File.read!() |> EEx.compile_string()

data = Module.concat([module])
folder |> Path.join("#{name}.ex") |> Code.compile_file()
folder |> Path.join("title.txt") |> File.write!(data.title())
true = data.dom_id(%{"ordinal" => 7}) == "#{name}-row-7"
