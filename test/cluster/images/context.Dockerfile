# What a build of this repository is sent, by .dockerignore.
FROM scratch
COPY . /
