"""Makes the shipped tokenizer files from a litellm wheel and the installed tiktoken.

    python tools/import_tokenizers.py litellm-1.106.2-….whl

The wheel, read as a zip, has the vocabularies and LiteLLM's list of OpenAI models. tiktoken has the patterns and its
own table of models, and checks every vocabulary against the hash that it expects. Nothing is downloaded.
"""

import argparse
import gzip
import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path

DATA = Path(__file__).parents[1] / "server/budgetd_server/tokens/data"
PRICES_MEMBER = "litellm/model_prices_and_context_window_backup.json"
#: tiktoken's cache names a file by the SHA-1 of its address; LiteLLM ships that cache.
CACHE_MEMBER = "litellm/litellm_core_utils/tokenizers/{}"
VOCABULARIES = {
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
}


def main() -> None:
    """Unpack the vocabularies, let tiktoken check them, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--output", type=Path, default=DATA)
    arguments = parser.parse_args()

    encodings = {}
    with zipfile.ZipFile(arguments.wheel) as wheel, tempfile.TemporaryDirectory() as cache:
        entries = json.loads(wheel.read(PRICES_MEMBER))
        os.environ["TIKTOKEN_CACHE_DIR"] = cache
        import tiktoken  # noqa: PLC0415  Only now, when its cache has every file.

        for name, cached_as in VOCABULARIES.items():
            vocabulary = wheel.read(CACHE_MEMBER.format(cached_as))
            (Path(cache) / cached_as).write_bytes(vocabulary)
            encoding = tiktoken.get_encoding(name)
            encodings[name] = {"sha256": hashlib.sha256(vocabulary).hexdigest(), "pattern": encoding._pat_str}  # noqa: SLF001
            # Without a time or a name in it, the same vocabulary always gives the same file.
            packed = gzip.compress(vocabulary, compresslevel=9, mtime=0)
            (arguments.output / f"{name}.tiktoken.gz").write_bytes(packed)
        models = {name: found for name in openai_models(entries) if (found := encoding_of(tiktoken, name))}

    content = {"encodings": encodings, "models": dict(sorted(models.items()))}
    (arguments.output / "encodings.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def openai_models(entries: dict[str, dict[str, object]]) -> list[str]:
    """Return the names that LiteLLM treats as OpenAI chat models: that provider's, without fine-tuned base models."""
    return [
        name
        for name, entry in entries.items()
        if entry.get("litellm_provider") == "openai" and not (name.startswith("ft:") and name.count(":") == 1)
    ]


def encoding_of(tiktoken: object, name: str) -> str | None:
    """Return LiteLLM's choice for an OpenAI model. None if tiktoken has none; cl100k_base is used instead."""
    if "gpt-4o" in name:
        return "o200k_base"
    try:
        return tiktoken.encoding_name_for_model(name)  # type: ignore[attr-defined, no-any-return]
    except KeyError:
        return None


if __name__ == "__main__":
    main()
