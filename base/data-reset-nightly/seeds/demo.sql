-- Something to show.
CREATE TABLE products (id integer PRIMARY KEY, name text NOT NULL, cents integer NOT NULL);
INSERT INTO products VALUES
    (1, 'Teapot', 2900), (2, 'Cup', 900), (3, 'Strainer', 650), (4, 'Kettle', 4500);
