import pytest

from tests.web.lab import TEMPLATE, lab


@pytest.fixture
def app(app, tmp_path):
    """Give the application with a page of every kind beside the real ones."""
    (tmp_path / "lab.html").write_text(TEMPLATE)
    app.jinja_loader.searchpath.append(str(tmp_path))
    lab.template_folder = None
    app.register_blueprint(lab)
    return app
