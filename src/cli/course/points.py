"""Prints the points of an assignment from gradebook.db in the working folder: points.py ASSIGNMENT."""

import sys

from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db") as gradebook:
    for submission in sorted(gradebook.assignment_submissions(sys.argv[1]), key=lambda submission: submission.student_id):
        by_hand = "; answers in words are to be graded by hand" if submission.needs_manual_grade else ""
        print(f"{submission.student_id:20} {submission.score:g} of {submission.max_score:g} points{by_hand}")
