"""Parts of the test run itself: the requirements report, the check for things left in Docker, and real hubs."""
