"""What a run says: requirements, verdict, and the files it leaves."""
