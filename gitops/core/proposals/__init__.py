"""What a proposal says to people: its pull request, comments, who must agree."""
