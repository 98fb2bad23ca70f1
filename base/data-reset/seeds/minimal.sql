-- What a test needs, and nothing to look at.
CREATE TABLE products (id integer PRIMARY KEY, name text NOT NULL, cents integer NOT NULL);
INSERT INTO products VALUES (1, 'Sample', 100);
