"""What a browser shows: pages that are whole without JavaScript, and alive with it."""
