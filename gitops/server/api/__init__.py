"""`/v1`: the verbs for programs, with the documents of `-o json`."""
