"""What a run reports: requirements, verdict, and the files of its folder."""
