"""Where videos come from: arrays, folders of numbered pictures, TaxiBJ and Moving MNIST."""
