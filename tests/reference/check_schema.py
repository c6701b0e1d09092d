"""Says what jsonschema makes of recipes.

    venv/bin/python check_schema.py recipe.schema.json RECIPE...

Prints a list with a list for each recipe: the places of what is wrong.
"""

import json
import sys
import tomllib

import jsonschema

schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
found = []
for path in sys.argv[2:]:
    with open(path, "rb") as file:
        recipe = tomllib.load(file)
    found.append(["".join(f"/{part}" for part in e.absolute_path) for e in validator.iter_errors(recipe)])
print(json.dumps(found))
