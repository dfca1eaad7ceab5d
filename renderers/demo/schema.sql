-- The sample database of an invoicing business. Money is in integer cents, taxes are in basis points
-- (hundredths of a percent), days and months are ISO 8601 text.

CREATE TABLE customer_types (
    id               INTEGER PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    discount_percent INTEGER NOT NULL CHECK (discount_percent BETWEEN 0 AND 100),
    net_days         INTEGER NOT NULL CHECK (net_days >= 0)
);

CREATE TABLE states (
    code             TEXT PRIMARY KEY,
    name             TEXT NOT NULL,
    region           TEXT NOT NULL,
    tax_basis_points INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE customers (
    id               INTEGER PRIMARY KEY,
    name             TEXT NOT NULL,
    customer_type_id INTEGER NOT NULL REFERENCES customer_types,
    email            TEXT NOT NULL,
    phone            TEXT,
    customer_since   TEXT NOT NULL
);

CREATE TABLE addresses (
    id          INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers,
    street      TEXT NOT NULL,
    city        TEXT NOT NULL,
    state       TEXT NOT NULL REFERENCES states,
    postal_code TEXT NOT NULL
);

CREATE TABLE categories (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE products (
    id          INTEGER PRIMARY KEY,
    category_id INTEGER NOT NULL REFERENCES categories,
    sku         TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    price_cents INTEGER NOT NULL CHECK (price_cents > 0)
);

CREATE TABLE invoices (
    id               INTEGER PRIMARY KEY,
    number           TEXT UNIQUE,  -- drafts have none yet
    customer_id      INTEGER NOT NULL REFERENCES customers,
    address_id       INTEGER NOT NULL REFERENCES addresses,
    status           TEXT NOT NULL CHECK (status IN ('draft', 'sent', 'paid', 'overdue', 'cancelled')),
    issued_on        TEXT NOT NULL,
    net_days         INTEGER NOT NULL,
    due_on           TEXT NOT NULL,
    paid_on          TEXT,
    tax_basis_points INTEGER NOT NULL,
    net_cents        INTEGER NOT NULL,  -- the sum of its lines
    tax_cents        INTEGER NOT NULL,
    total_cents      INTEGER NOT NULL
);

-- Region and month are those of the invoice, written down with each line when it is booked. So one index has
-- the whole order of the report, and all else is found by primary key: no line is sorted to be read.
CREATE TABLE invoice_lines (
    id               INTEGER PRIMARY KEY,
    invoice_id       INTEGER NOT NULL REFERENCES invoices,
    position         INTEGER NOT NULL,
    product_id       INTEGER NOT NULL REFERENCES products,
    quantity         INTEGER NOT NULL,  -- negative for what was sent back
    unit_price_cents INTEGER NOT NULL,
    discount_percent INTEGER NOT NULL,
    amount_cents     INTEGER NOT NULL,  -- after the discount, before tax
    region           TEXT NOT NULL,
    month            TEXT NOT NULL
);

-- In SQLite a CROSS JOIN is an inner join whose tables are read in the order they are written: lines first, so
-- that their index gives the order. The amount becomes a decimal by integer arithmetic, as exact as the cents.
CREATE VIEW report_lines AS
SELECT
    line.id AS line_id,
    line.region,
    line.month,
    invoice.number AS invoice,
    invoice.issued_on AS date,
    customer.name AS customer,
    product.name AS product,
    invoice.status,
    line.quantity,
    printf(
        '%s%d.%02d',
        CASE WHEN line.amount_cents < 0 THEN '-' ELSE '' END,
        abs(line.amount_cents) / 100,
        abs(line.amount_cents) % 100
    ) AS amount
FROM invoice_lines AS line
CROSS JOIN invoices AS invoice ON invoice.id = line.invoice_id
CROSS JOIN customers AS customer ON customer.id = invoice.customer_id
CROSS JOIN products AS product ON product.id = line.product_id;
