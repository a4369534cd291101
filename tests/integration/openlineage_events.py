"""Events of OpenLineage, checked as their publisher has them.

The schema is published as JSON and as classes that are generated from it; the latter come in a package, which `tools/setup
test` installs. `check` reads an event into these classes, field by field: every member must be known, of the type that
the schema gives it, required ones must be there, and each facet must name the very version of the schema that it is of.

With AETHERMART_OPENLINEAGE_SPEC naming a folder of the published JSON (OpenLineage.json, facets/*.json), each event is
checked by that, too.
"""
import enum
import functools
import importlib
import json
import os
import pathlib
import sys
import types
import typing
import uuid

import attr

# tools/setup test puts it there.
FOLDER = (pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
          / "aethermart" / "openlineage-1.54.0")
SPEC = os.environ.get("AETHERMART_OPENLINEAGE_SPEC")

RUN = {"processing_engine": "processing_engine_run.ProcessingEngineRunFacet",
       "errorMessage": "error_message_run.ErrorMessageRunFacet"}
JOB = {"jobType": "job_type_job.JobTypeJobFacet",
       "documentation": "documentation_job.DocumentationJobFacet"}
DATASET = {"schema": "schema_dataset.SchemaDatasetFacet",
           "dataSource": "datasource_dataset.DatasourceDatasetFacet",
           "columnLineage": "column_lineage_dataset.ColumnLineageDatasetFacet",
           "tags": "tags_dataset.TagsDatasetFacet",
           "version": "dataset_version_dataset.DatasetVersionDatasetFacet",
           "documentation": "documentation_dataset.DocumentationDatasetFacet"}
INPUT = {"inputStatistics": "input_statistics_input_dataset.InputStatisticsInputDatasetFacet",
         "dataQualityAssertions":
             "data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet"}
OUTPUT = {"outputStatistics": "output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet"}


@functools.cache
def module(name):
    """One of the generated modules, without the client around them and what that needs."""
    if "openlineage.client" not in sys.modules:
        sys.path.append(str(FOLDER))
        client = types.ModuleType("openlineage.client")
        client.__path__ = [str(FOLDER / "openlineage" / "client")]
        sys.modules["openlineage.client"] = client
    return importlib.import_module(f"openlineage.client.generated.{name}")


def facet_class(names, name):
    assert name in names, f"a facet of an unknown name: {name}"
    of, cls = names[name].split(".")
    return getattr(module(of), cls)


def read(hint, value, where):
    """The value as the type that the schema gives it; AssertionError names the place."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        assert value is not None, f"{where}: null"
        return read(next(a for a in arguments if a is not type(None)), value, where)
    if origin is list:
        assert isinstance(value, list), where
        return [read(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(value)]
    if origin is dict:
        assert isinstance(value, dict), where
        return {k: read(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    if attr.has(hint):
        return read_object(hint, value, where)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    assert type(value) is hint, f"{where}: {value!r} is no {hint}"
    return value


def read_object(cls, value, where):
    assert isinstance(value, dict), where
    names = {**vars(typing), **vars(sys.modules[cls.__module__])}  # of the texts of its hints
    hints = typing.get_type_hints(cls, names)
    left, arguments = dict(value), {}
    for field in attr.fields(cls):
        if field.name in ("_schemaURL", "schemaURL"):
            assert left.pop(field.name) == cls._get_schema(), where
        elif field.name in ("facets", "inputFacets", "outputFacets"):
            names = {"Run": RUN, "Job": JOB}.get(cls.__name__, DATASET)
            names = {"inputFacets": INPUT, "outputFacets": OUTPUT}.get(field.name, names)
            for name, facet in left.pop(field.name, {}).items():
                read_object(facet_class(names, name), facet, f"{where}.{name}")
        elif field.name in left:
            arguments[field.name.lstrip("_")] = read(hints[field.name], left.pop(field.name),
                                                     f"{where}.{field.name}")
        elif field.name in ("_producer", "producer"):
            raise AssertionError(f"{where}: nobody made it")
    assert not left, f"{where}: unknown members {sorted(left)}"
    return cls(**arguments)  # with the validators of the schema; what is required must be there


def check(event):
    made = read_object(module("base").RunEvent, event, "event")
    assert made.eventType is not None
    assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
    if SPEC:
        check_published(event)


# --- the published JSON, where it is at hand ----------------------------------------------------


@functools.cache
def published():
    texts = [pathlib.Path(SPEC) / "OpenLineage.json",
             *sorted((pathlib.Path(SPEC) / "facets").glob("*.json"))]
    return {document["$id"]: document for document in (json.loads(t.read_text()) for t in texts)}


def validate(url, value):
    import jsonschema

    resolver = jsonschema.RefResolver("", {}, store=published())
    jsonschema.Draft202012Validator(
        {"$ref": url}, resolver=resolver,
        format_checker=jsonschema.draft202012_format_checker).validate(value)


def facets_of(value):
    """Every facet of an event, wherever it stands."""
    if isinstance(value, dict):
        if "_schemaURL" in value:
            yield value
        for member in value.values():
            yield from facets_of(member)
    elif isinstance(value, list):
        for member in value:
            yield from facets_of(member)


def check_published(event):
    validate(event["schemaURL"], event)
    for facet in facets_of(event):
        validate(facet["_schemaURL"], facet)
