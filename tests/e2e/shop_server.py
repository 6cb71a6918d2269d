"""A server with the plan of a small shop, on a folder of its own."""

from harness import Server, folder

PLAN = """
timezone: UTC
events:
  page_viewed: {}
  add_to_cart:
    properties:
      product_id: string?
      price: number?
      quantity: integer?
      gift: boolean?
      due: time?
  purchase:
    properties:
      order_id: string
      total: number?
metrics:
  events: count(any)
  carts: count(add_to_cart)
  spent: sum(purchase.total)
  products: distinct(add_to_cart.product_id)
  never: last(search.query)
  pages_this_session: count(page_viewed[session])
  latest: last_time(any)
segments:
  shopper: {description: Put something into the cart., when: count(add_to_cart) >= 1}
  buyer: {when: count(purchase) >= 1}
  hasty: {when: "count(add_to_cart[2s]) >= 2"}
  hesitant: {when: add_to_cart then no purchase for 1s}
  polish: {when: 'trait.country = "PL"'}
"""


class Started:
    """A server on a folder of its own that vanishes with it."""

    def __init__(self, plan=PLAN, **options):
        self.plan, self.options = plan, options

    def __enter__(self):
        self.folder = folder()
        self.path = self.folder.__enter__()
        (self.path / "plan.yaml").write_text(self.plan)
        try:
            self.server = Server(self.path / "plan.yaml", self.path / "data", **self.options)
            return self.server.__enter__()
        except BaseException:
            self.folder.__exit__(None, None, None)
            raise

    def __exit__(self, *error):
        try:
            self.server.__exit__(*error)
        finally:
            self.folder.__exit__(None, None, None)
