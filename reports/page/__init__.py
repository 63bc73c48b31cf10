"""The page index.html: what stands above Allure's report, and what leads from there to a test's evidence."""
