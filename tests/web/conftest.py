import pytest

from tests.web.lab import TEMPLATE, lab


@pytest.fixture
def app(own_app, tmp_path):
    """Give the application with a page of every kind beside the real ones."""
    (tmp_path / "lab.html").write_text(TEMPLATE)
    own_app.jinja_loader.searchpath.append(str(tmp_path))
    lab.template_folder = None
    own_app.register_blueprint(lab)
    return own_app
