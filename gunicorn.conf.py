"""Settings of gunicorn, which it reads from the folder it is started in; words of the command line win over them."""

worker_class = "web.server.worker.BoundedWorker"
workers = 1  # a second would hold the models twice
threads = 4  # that run models, and as many for everything else; app.yaml has the same number as max_concurrent_requests
timeout = 0  # App Engine stops hung requests itself, and gunicorn would kill the worker of an instance that was put to sleep
graceful_timeout = 40  # more than GRACE_SECONDS, after which the worker ends by itself
control_socket_disable = True  # it is opened under $HOME, which is read-only
