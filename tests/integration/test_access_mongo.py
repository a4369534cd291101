"""Roles hold in MongoDB: what rules/access.yaml says is what it grants, and no account is given
where the server would not keep it to its rights."""

import pathlib

import pymongo
import pymongo.errors
import pytest

SECRET = {"first_name": "Quentina", "last_name": "Zyxmann", "email": "quentina@zyxmail.example",
          "phone_number": "+49 30 5550123", "date_of_birth": "1985-03-09"}
ADDRESS = {"street": "Wolpertingergasse 17", "city": "Zyxstadt", "zip": "98765"}
VIEW = "customer_profiles_marketing_analyst"


def as_user(stack, name):
    password = (pathlib.Path(stack.var) / "secrets" / f"mongodb-{name}").read_text().strip()
    uri = stack.connection()["mongodb"]["uri"]
    return pymongo.MongoClient(uri, username=name, password=password, authSource="admin",
                               serverSelectionTimeoutMS=5000)


def users(admin):
    return {u["user"] for u in admin.admin.command({"usersInfo": {"forAllDBs": True}})["users"]}


def differences(stack, status=14):
    done = stack.run("access", "check", check=False)
    assert done.returncode == status, done.stderr
    return {" ".join(line.removeprefix("MongoDB").split())
            for line in done.stdout.splitlines() if line.startswith("MongoDB")}


def test_masked_roles_read_views_and_get_no_account_where_they_would_see_more(stack):
    customer = stack.insert("Customers", registration_date="2024-01-01", **SECRET)
    oldest = {**SECRET, "date_of_birth": "1931-05-05"}
    stack.insert("Customers", registration_date="2024-01-01", **{**oldest, "email": "quirin@zyxpost.example"})
    stack.insert("Customer_Addresses", customer_id=customer, state="Zyxland", country="DE",
                 is_default=1, **ADDRESS)
    stack.wait_synced()
    stack.docs("customer_profiles").update_one(
        {"_id": customer}, {"$set": {"social_media_handles": {"x": "@quentina_z"}}})
    stack.json("access", "apply", "--yes", "--adopt")
    # The same texts as MariaDB's.
    masked = stack.sql("SELECT first_name, last_name, email, phone_number, date_of_birth,"
                       " registration_date FROM v_customers_masked WHERE first_name LIKE 'Q%%'"
                       " AND email LIKE 'q***@z***%%'")
    database = stack.mongo()
    seen = [d for d in database[VIEW].find() if (d["email"] or "").startswith("q***@z***")]
    names = ("first_name", "last_name", "email", "phone_number", "date_of_birth",
             "registration_date")
    assert masked and sorted(masked) == sorted(tuple(d[n] for n in names) for d in seen)
    assert {d["registration_date"] for d in seen} == {"2024-01"}
    assert {d["date_of_birth"] for d in seen} == {"1980-1989", "before 1940"}
    seen = [d for d in seen if d["date_of_birth"] == "1980-1989"]
    assert seen[0]["addresses"][0]["state"] == "Zyxland"
    # Nothing of whom it is about is in any view, nor what MongoDB alone knows.
    views = list(database.list_collections(filter={"type": "view"}))
    assert {v["name"] for v in views} == {VIEW, "product_catalog_marketing_analyst",
                                          "reviews_marketing_analyst", "product_catalog_agent"}
    for view in views:
        for document in database[view["name"]].find():
            told = str(document)
            assert "customer_id" not in told and "social_media_handles" not in told
            for value in (*SECRET.values(), *ADDRESS.values(), "@quentina_z"):
                assert value not in told, (view["name"], document)
    # This server lets an account do more than its role says: only who has everything has one.
    admin = as_user(stack, "aethermart_admin")
    told = stack.json("access", "show")["mongodb"]
    assert told["keeps_rights"] is False and told["withheld"] == 4, told
    assert users(admin) == {"aethermart_admin", "mongo_sync_user", "alex"}
    assert not [r for r in database.command("rolesInfo", 1)["roles"] if "probe" in r["role"]]
    assert "probe" not in str(database.list_collection_names())
    assert as_user(stack, "alex")[database.name].customer_profiles.find_one({"_id": customer})

    # What is changed by hand is named and mended.
    assert "can" in " ".join(differences(stack, 0))
    database.command("collMod", VIEW, viewOn="customer_profiles", pipeline=[])
    database.command("grantPrivilegesToRole", "marketing_analyst", privileges=[
        {"resource": {"db": database.name, "collection": "reviews"}, "actions": ["find"]}])
    admin.admin.command("dropUser", "alex")
    admin.admin.command("createUser", "mallory", pwd="x",
                        roles=[{"role": "read", "db": database.name}])
    # Of the name of one of the system, and not it.
    admin[database.name].command("createUser", "mongo_sync_user", pwd="x",
                                 roles=[{"role": "read", "db": database.name}])
    found = differences(stack)
    namesake = f"foreign {database.name}.mongo_sync_user has role {database.name}.read"
    admin[database.name].command("dropUser", "mongo_sync_user")
    assert found >= {namesake, f"missing view {database.name}.{VIEW}", "missing account admin.alex",
                     f"beyond {database.name}.marketing_analyst may find on COLLECTION reviews",
                     f"foreign admin.mallory has role {database.name}.read"}, found
    stack.run("access", "apply", "--yes")
    assert differences(stack) == {f"foreign admin.mallory has role {database.name}.read"}
    assert not list(database[VIEW].find({"email": SECRET["email"]}))
    admin.admin.command("dropUser", "mallory")

    # Somebody else's role of a name of the file stops it.
    stack.sql("DELETE FROM Access_Objects WHERE object_kind = 'mongo_role'")
    assert f"stranger role {database.name}.marketing_analyst" in differences(stack)
    assert "was not made here" in stack.fails("access", "apply", "--yes")
    stack.run("access", "apply", "--yes", "--adopt")
    differences(stack, 0)

    # As after a kill between record and making, and between taking and record.
    database.drop_collection(VIEW)
    admin.admin.command("dropUser", "alex")
    stack.run("access", "apply", "--yes")
    differences(stack, 0)
    with pytest.raises(pymongo.errors.OperationFailure):
        as_user(stack, "alex")[database.name].command("dropUser", "alex")
