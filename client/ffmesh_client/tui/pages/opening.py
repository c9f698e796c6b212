"""How one gets from any page to that of a job or of an agent."""

from ffmesh_client.tui.app_of import app_of
from ffmesh_client.tui.pages.agent import AgentPage
from ffmesh_client.tui.pages.job import JobPage
from ffmesh_client.tui.pages.page import Page


def open_job(page: Page, job: str) -> None:
    _ = app_of(page).push_screen(JobPage(page.desk, job, page.name_of_page))


def open_agent(page: Page, name: str) -> None:
    _ = app_of(page).push_screen(AgentPage(page.desk, name, page.name_of_page))
