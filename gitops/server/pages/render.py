"""Templates made into pages, with what every page needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from gitops.errors import GitopsError
from gitops.server.failures import headers_of, status_of
from gitops.server.identity.routes import path_to_sign_in

if TYPE_CHECKING:
    from gitops.server.service import Right, Service


class Pages:
    """The templates of one server."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._templates = Environment(
            loader=PackageLoader("gitops.server.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(
        self, request: Request, template: str, *, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Return a page, as the person who asks may see it."""
        person = getattr(request.state, "person", None)

        def may(verb: str, environment: str, app: str | None = None) -> Right:
            return self._service.may(person, verb, environment, app)

        text = self._templates.get_template(template).render(
            request=request, person=person, may=may, settings=self._service.settings, **values
        )
        return HTMLResponse(text, status)

    def error(self, request: Request, error: Exception) -> HTMLResponse:
        """Return the page of an error."""
        if not isinstance(error, GitopsError):
            raise error
        status = status_of(error)
        identity = self._service.identity
        way = identity.settings.sign_in if status == 401 else None
        answer = self.render(
            request,
            "error.html",
            status=status,
            error=error,
            sign_in=path_to_sign_in(_asked(request)) if way is not None else None,
            label=way.label if way is not None else "",
        )
        answer.headers.update(headers_of(status))
        return answer


def _asked(request: Request) -> str:
    """Return the page to come back to: what was asked for, if it can be asked for again."""
    path, query = request.scope["path"], request.scope.get("query_string", b"").decode("latin-1")
    if request.method != "GET" or path.startswith("/sign-in"):
        return "/"
    return f"{quote(path)}?{query}" if query else quote(path)
