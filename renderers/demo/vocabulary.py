"""What the sample database is made of: names, places and goods. All of it is invented or common."""

from __future__ import annotations

__all__ = [
    "CATEGORIES",
    "CUSTOMER_TYPES",
    "FIRST_NAMES",
    "PLACES",
    "PRODUCTS",
    "STATES",
    "STREETS",
    "SURNAMES",
    "TRADES",
]

# name, discount in percent, days to pay
CUSTOMER_TYPES = (
    ("Retail", 0, 0),
    ("Small business", 3, 14),
    ("Reseller", 12, 30),
    ("Key account", 15, 60),
    ("Non-profit", 8, 30),
)

# code, name, region, sales tax in basis points, first three digits of the postal codes, cities
STATES = (
    ("AZ", "Arizona", "West", 560, "850", ("Phoenix", "Tucson")),
    ("CA", "California", "West", 725, "900", ("Los Angeles", "San José", "Fresno")),
    ("CO", "Colorado", "West", 290, "802", ("Denver", "Boulder")),
    ("OR", "Oregon", "West", 0, "972", ("Portland", "Eugene")),
    ("WA", "Washington", "West", 650, "981", ("Seattle", "Spokane")),
    ("IL", "Illinois", "Midwest", 625, "606", ("Chicago", "Peoria")),
    ("MI", "Michigan", "Midwest", 600, "482", ("Detroit", "Lansing")),
    ("MN", "Minnesota", "Midwest", 688, "554", ("Minneapolis", "Duluth")),
    ("OH", "Ohio", "Midwest", 575, "441", ("Cleveland", "Dayton")),
    ("WI", "Wisconsin", "Midwest", 500, "532", ("Milwaukee", "Madison")),
    ("MA", "Massachusetts", "Northeast", 625, "021", ("Boston", "Worcester")),
    ("ME", "Maine", "Northeast", 550, "041", ("Portland", "Bangor")),
    ("NJ", "New Jersey", "Northeast", 663, "071", ("Newark", "Trenton")),
    ("NY", "New York", "Northeast", 400, "100", ("New York", "Buffalo", "Albany")),
    ("PA", "Pennsylvania", "Northeast", 600, "191", ("Philadelphia", "Pittsburgh")),
    ("FL", "Florida", "South", 600, "331", ("Miami", "Tampa")),
    ("GA", "Georgia", "South", 400, "303", ("Atlanta", "Savannah")),
    ("NC", "North Carolina", "South", 475, "282", ("Charlotte", "Raleigh")),
    ("TN", "Tennessee", "South", 700, "372", ("Nashville", "Memphis")),
    ("TX", "Texas", "South", 625, "770", ("Houston", "Austin", "Dallas")),
)

FIRST_NAMES = (
    *("Aaron", "Alice", "Amara", "André", "Ben", "Carla", "Chloé", "Daniel", "Diego", "Elena", "Emma"),
    *("Farid", "Grace", "Hannah", "Ines", "Jonas", "José", "Kenji", "Laila", "Leo", "Maria", "Mei"),
    *("Nadia", "Noah", "Olga", "Omar", "Priya", "Ruth", "Samuel", "Sofia", "Thomas", "Yusuf", "Zoë"),
)

SURNAMES = (
    *("Adler", "Alvarez", "Baker", "Brandt", "Campbell", "Chen", "Costa", "Díaz", "Edwards", "Fischer"),
    *("Garcia", "Hale", "Hughes", "Ito", "Jackson", "Kaplan", "Khan", "Kowalski", "Larsen", "Lopez"),
    *("Meyer", "Moreau", "Müller", "Nguyen", "Novak", "O'Brien", "Okafor", "Park", "Patel", "Quinn"),
    *("Reyes", "Rossi", "Sato", "Schmidt", "Silva", "Stone", "Turner", "Vargas", "Weber", "Young"),
)

PLACES = (
    *("Bayview", "Birch Hill", "Blue River", "Cedar Park", "Eastgate", "Elm Street", "Fairview", "Harbor"),
    *("Highland", "Lakeside", "Maple", "Northern", "Oak Lane", "Pine Ridge", "Riverside", "Summit"),
    *("Sunrise", "Union", "Valley", "Westport"),
)

TRADES = (
    *("Architects", "Bakery", "Books", "Brewing", "Cafe", "Clinic", "Dental", "Design", "Electric"),
    *("Farms", "Fitness", "Florist", "Foods", "Garage", "Hardware", "Hotel", "Interiors", "Law Group"),
    *("Library", "Logistics", "Media", "Motors", "Optics", "Pharmacy", "Plumbing", "Press", "School"),
    *("Software", "Studio", "Travel"),
)

STREETS = (
    *("Ash Street", "Bridge Road", "Chestnut Avenue", "Church Street", "Franklin Avenue", "Garden Lane"),
    *("Hill Road", "Jefferson Street", "Lake Drive", "Main Street", "Market Street", "Mill Road"),
    *("Park Avenue", "School Street", "Spring Street", "Washington Boulevard"),
)

CATEGORIES = ("Paper", "Writing", "Filing", "Furniture", "Lighting", "Technology", "Breakroom", "Services")

# place of the category, name, price in cents
PRODUCTS = (
    (0, "Copy paper A4, ream", 649),
    (0, "Card stock, white", 1295),
    (0, "Envelopes C5, 500", 2190),
    (0, "Notebook, ruled", 479),
    (0, "Sticky notes, 12", 899),
    (0, "Label sheets, 100", 1849),
    (0, "Photo paper, glossy", 2475),
    (1, "Ballpoint pens, 10", 525),
    (1, "Fountain pen", 3995),
    (1, "Highlighters, 6", 749),
    (1, "Pencils HB, 24", 615),
    (1, "Whiteboard markers", 985),
    (1, "Permanent markers", 1099),
    (1, "Erasers, 10", 299),
    (2, "Ring binder 50 mm", 445),
    (2, "Hanging folders, 25", 1949),
    (2, "Archive box", 389),
    (2, "Index tabs A-Z", 315),
    (2, "Document wallet", 275),
    (2, "Paper clips, 1000", 199),
    (2, "Stapler, heavy duty", 3450),
    (3, "Desk, oak 160 cm", 42900),
    (3, "Desk, sit-stand", 68900),
    (3, "Office chair", 27900),
    (3, "Conference table", 114900),
    (3, "Bookcase, 5 shelves", 18950),
    (3, "Filing cabinet", 23900),
    (3, "Coat stand", 7490),
    (4, "Desk lamp, LED", 4995),
    (4, "Floor lamp", 12900),
    (4, "LED panel 60x60 cm", 6790),
    (4, "LED bulbs E27, 6", 1690),
    (4, "Emergency light", 8450),
    (5, 'Monitor 27"', 28900),
    (5, "Keyboard, wireless", 5990),
    (5, "Mouse, ergonomic", 4490),
    (5, "Laser printer", 37900),
    (5, "Toner, black", 8990),
    (5, "USB-C dock", 15900),
    (5, "Webcam 1080p", 6450),
    (5, "Headset", 9990),
    (5, "Shredder P-4", 13950),
    (6, "Coffee beans 1 kg", 1895),
    (6, "Espresso machine", 89900),
    (6, "Tea assortment", 1249),
    (6, "Water glasses, 12", 2390),
    (6, "Paper cups, 1000", 3290),
    (6, "Dish soap 5 l", 1575),
    (7, "Delivery & set-up", 7900),
    (7, "Chair repair", 5500),
    (7, "Printer maintenance", 12500),
    (7, "Engraving, per line", 450),
)
