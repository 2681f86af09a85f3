"""`homestretch openapi`: the API description, without a server or a database."""

import click

from core.settings import Settings


@click.command(epilog="Example: homestretch openapi > openapi.json")
def openapi() -> None:
    """Print the API description (OpenAPI 3.1) as JSON."""
    from api.app import create_app  # noqa: PLC0415 - takes a second to import
    from api.documentation import encoded_description  # noqa: PLC0415 - same

    click.echo(encoded_description(create_app(Settings())))
