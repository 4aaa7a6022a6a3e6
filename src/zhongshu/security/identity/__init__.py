"""Who there is: organisations, posts, people, and how they prove it."""
